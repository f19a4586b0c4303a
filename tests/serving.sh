# What the tests that run clients against a real server share; to be sourced, by scripts with `set -euo pipefail`.
#
# The caller's $binary is the server; $work is a temporary folder, which goes at the end.

work=$(mktemp -d)
server=
finish() {
    status=$?
    if [ -n "$server" ]; then kill -KILL "$server" 2>/dev/null || true; fi
    if [ "$status" -ne 0 ] && [ -f "$work/log" ]; then
        echo "the server's log:"
        tail -n 50 "$work/log"
    fi >&2
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT

fail() {
    echo "$0: $1" >&2
    exit 1
}

# The server's program: the first argument, or what cargo builds. After `install` there is nothing more to do: what a script
# needs of Debian is there, before anything is built.
take_binary() {
    if [ "${1-}" = install ]; then exit; fi
    binary=${1-}
    if [ -z "$binary" ]; then
        cargo build --quiet --locked
        binary=${CARGO_TARGET_DIR:-target}/debug/conspectus
    fi
    binary=$(realpath "$binary")
}

# Installs packages of Debian.
install() {
    echo "installing $1"
    if [ "$(id -u)" -eq 0 ]; then as_root=(); else as_root=(sudo -n); fi
    "${as_root[@]}" apt-get --quiet=2 update
    "${as_root[@]}" apt-get --quiet=2 install --yes --no-install-recommends "${@:2}"
}

# Installs the packages of npm that a folder names, into $work/node.
install_node() {
    mkdir "$work/node"
    cp "$1/package.json" "$1/package-lock.json" "$work/node"
    npm ci --prefix "$work/node" --ignore-scripts --no-audit --no-fund --loglevel=error
}

# Starts a server on a folder of its own. Port 0: the system picks a free one, and logs its address.
serve() {
    CONSPECTUS_LOG=info "$binary" serve --listen 127.0.0.1:0 --data "$work/$1" --drain-seconds 5 "${@:2}" \
        >"$work/$1-out" 2>"$work/log" </dev/null &
    server=$!
    for _ in $(seq 100); do
        address=$(grep -om1 'address=[^ ]*' "$work/log" | cut -d= -f2 || true)
        if [ -n "$address" ] && "$binary" health --server "${scheme:-http}://$address" >/dev/null 2>&1; then return; fi
        kill -0 "$server" 2>/dev/null || fail "the server ended"
        sleep 0.1
    done
    fail "the server isn't serving after ten seconds"
}

# The same with the demo, whose keys it prints, and exports them.
serve_demo() {
    serve "$1" --demo "${@:2}"
    for _ in $(seq 100); do
        if grep -q '^Serving on' "$work/$1-out"; then break; fi
        sleep 0.1
    done
    eval "$(grep '^export CONSPECTUS_' "$work/$1-out")"
}

# Asks the server to stop, and waits until it has.
stop() {
    kill -TERM "$server"
    for _ in $(seq 80); do
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    if kill -0 "$server" 2>/dev/null; then fail "the server didn't stop within eight seconds of SIGTERM"; fi
    wait "$server" || fail "the server ended with $? after SIGTERM"
    server=
}
