#!/usr/bin/env bash
# Submits the figures of a CSV file with curl and jq, and may be run again and again.
#
# Usage: submit.sh FILE --agency ID --server HOST:PORT [--ca FILE] [--attempts N]; the key is taken from CONSPECTUS_KEY. The
# file's columns are indicator, area, period, value, and where they are needed numerator, denominator, markers (separated by
# spaces) and note; a cell has no line breaks.
#
# Ends with 0 when the figures are stored or were before, 2 when the command is wrong, 3 when they are refused, 4 when the key
# may not submit them, 5 when no server answers, 6 when it is busy, and 1 on anything else.
set -euo pipefail

DEADLINE_SECONDS=30
FIRST_DELAY_SECONDS=1
DELAY_SECONDS_MAX=60

usage() {
    echo 'usage: submit.sh FILE --agency ID --server HOST:PORT [--ca FILE] [--attempts N]' >&2
    exit 2
}

file='' agency='' server='' ca='' attempts=6
while [ $# -gt 0 ]; do
    case $1 in
        --agency | --server | --ca | --attempts) [ $# -gt 1 ] && declare "${1#--}=$2" && shift 2 || usage ;;
        -*) usage ;;
        *) [ -z "$file" ] && file=$1 && shift || usage ;;
    esac
done
if [ -z "$file" ] || [ -z "$agency" ] || [ -z "$server" ]; then usage; fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Its id is of what it says, so that the same file is stored once, however often it is sent.
id=$( (echo "$agency" && cat "$file") | sha256sum | cut -c 1-32)

# The request of the file. Numbers stay the text that they are: the service reads them exactly.
jq --raw-input --slurp --arg agency "$agency" --arg id "$id" '
    def cells: [. + "," | match("(\"(?:[^\"]|\"\")*\"|[^,]*),"; "g").captures[0].string
        | if startswith("\"") then .[1:-1] | gsub("\"\""; "\"") else . end];
    def marker: {
        c: "CONFIDENTIAL", x: "NOT_AVAILABLE", z: "NOT_APPLICABLE", low: "LOW", u: "UNRELIABLE",
        e: "ESTIMATED", p: "PROVISIONAL", r: "REVISED", b: "BREAK"
    }[.] // "UNSPECIFIED" | "MARKER_" + .;
    def value:
        if (.denominator // "") != "" then { ratio: { numerator, denominator } }
        elif (.value // "") != "" then { number: .value }
        else {} end;
    ltrimstr("\ufeff") | split("\n") | map(rtrimstr("\r") | select(. != "")) | (.[0] | cells) as $names
    | .[1:] | map([$names, cells] | transpose | map({ (.[0] // ""): (.[1] // "") }) | add) | {
        agency: $agency,
        requestId: $id,
        observations: map(
            { indicator, area, period, note: (.note // ""), markers: [(.markers // "") | splits(" +") | select(. != "") | marker] } + value
        )
    }' "$file" >"$work/request"

scheme=http trust=()
if [ -n "$ca" ]; then scheme=https trust=(--cacert "$ca"); fi

# One attempt: $code is "ok" or that of the error, and $work/answer what was answered.
attempt() {
    local failed=0 status
    # From a file of its own the key isn't seen in the list of processes.
    status=$(curl --silent --max-time "$DEADLINE_SECONDS" "${trust[@]}" \
        --config <(printf 'header = "Authorization: Bearer %s"\n' "${CONSPECTUS_KEY-}") \
        --header 'Content-Type: application/json' --header "Connect-Timeout-Ms: ${DEADLINE_SECONDS}000" \
        --data-binary "@$work/request" --dump-header "$work/headers" --output "$work/answer" --write-out '%{http_code}' \
        "$scheme://$server/conspectus.v1.SubmissionService/SubmitObservations") || failed=$?
    case "$failed $status" in
        '0 200') code=ok ;;
        # 28: not in time.
        '28 '*) code=deadline_exceeded && echo '{"message": "no answer in time"}' >"$work/answer" ;;
        '0 '*) code=$(jq --raw-output .code "$work/answer" 2>/dev/null) || from_between "$status" ;;
        *) code=unavailable && echo '{"message": "no server answers"}' >"$work/answer" && : >"$work/headers" ;;
    esac
}

# What isn't the server's own answer is that of a proxy before it.
from_between() {
    case $1 in 429 | 502 | 503 | 504) code=unavailable ;; *) code=unknown ;; esac
    echo "{\"message\": \"the answer has the status $1\"}" >"$work/answer"
}

delay=$FIRST_DELAY_SECONDS
for ((count = 1; ; count += 1)); do
    attempt
    # These two may pass: the server starts or stops, or has too much to do. Whatever else is refused is refused again.
    case $code in unavailable | resource_exhausted) ;; *) break ;; esac
    if [ "$count" -ge "$attempts" ]; then break; fi
    named=$(sed -n 's/^retry-after: *\([0-9]*\).*/\1/Ip' "$work/headers")
    pause=${named:-$delay}
    if [ "$pause" -gt "$DELAY_SECONDS_MAX" ]; then pause=$DELAY_SECONDS_MAX; fi
    echo "$code: $(jq --raw-output .message "$work/answer"); again in $pause s" >&2
    sleep "$pause"
    delay=$((2 * delay))
done

if [ "$code" = ok ]; then
    hash=$(jq --raw-output .receipt.chainHash "$work/answer" | base64 --decode | od -An -v -tx1 | tr -d ' \n')
    # What is zero or false is left out of the answer.
    jq --raw-output --arg hash "$hash" '
        (if .alreadyReceived then "already received" else "received" end) as $what | .receipt
        | "\($what) at revision \(.revision): \(.newCount // 0) new, \(.revisedCount // 0) revised, "
            + "\(.unchangedCount // 0) unchanged; receipt \($hash)"' "$work/answer"
    exit
fi

# Every violation, by the row of the file, counted with the header.
jq --raw-output --arg code "$code" '
    def place: if startswith("observations[") then capture("^observations\\[(?<at>[0-9]+)\\][.]?(?<rest>.*)")
        | "row \((.at | tonumber) + 2)" + (if .rest == "" then "" else ", " + .rest end) else . end;
    "\($code): \(.message)",
    (.details // [] | .[] | select(.type == "google.rpc.BadRequest").debug.fieldViolations[]
        | "  \(.field // "" | place): \(.description)")' "$work/answer" >&2
case $code in
    invalid_argument | already_exists) exit 3 ;;
    unauthenticated | permission_denied) exit 4 ;;
    unavailable | deadline_exceeded) exit 5 ;;
    resource_exhausted) exit 6 ;;
    *) exit 1 ;;
esac
