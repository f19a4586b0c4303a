// Submits the figures of a CSV file, and may be run again and again.
//
// Usage: submit FILE --agency ID --server HOST:PORT [--ca FILE] [--attempts N]; the key is taken from CONSPECTUS_KEY. The
// file's columns are indicator, area, period, value, and where they are needed numerator, denominator, markers (separated
// by spaces) and note.
//
// Ends with 0 when the figures are stored or were before, 2 when the command is wrong, 3 when they are refused, 4 when the
// key may not submit them, 5 when no server answers, 6 when it is busy, and 1 on anything else.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	conspectus "conspectus/v1"
)

const (
	deadline        = 30 * time.Second
	attemptsDefault = 6
	delayFirst      = time.Second
	delayMax        = time.Minute
)

// exitStatus is what a script reads; 1 is anything else.
var exitStatus = map[codes.Code]int{
	codes.InvalidArgument:   3,
	codes.AlreadyExists:     3,
	codes.Unauthenticated:   4,
	codes.PermissionDenied:  4,
	codes.Unavailable:       5,
	codes.DeadlineExceeded:  5,
	codes.ResourceExhausted: 6,
}

var markers = map[string]conspectus.Marker{
	"c":   conspectus.Marker_MARKER_CONFIDENTIAL,
	"x":   conspectus.Marker_MARKER_NOT_AVAILABLE,
	"z":   conspectus.Marker_MARKER_NOT_APPLICABLE,
	"low": conspectus.Marker_MARKER_LOW,
	"u":   conspectus.Marker_MARKER_UNRELIABLE,
	"e":   conspectus.Marker_MARKER_ESTIMATED,
	"p":   conspectus.Marker_MARKER_PROVISIONAL,
	"r":   conspectus.Marker_MARKER_REVISED,
	"b":   conspectus.Marker_MARKER_BREAK,
}

// observation makes a figure of a row. Numbers stay the text that they are: the service reads them exactly.
func observation(row map[string]string) *conspectus.Observation {
	figure := &conspectus.Observation{
		Indicator: row["indicator"],
		Area:      row["area"],
		Period:    row["period"],
		Note:      row["note"],
	}
	for _, text := range strings.Fields(row["markers"]) {
		// An unknown one is MARKER_UNSPECIFIED, which the server refuses.
		figure.Markers = append(figure.Markers, markers[text])
	}
	if row["denominator"] != "" {
		ratio := &conspectus.Ratio{Numerator: row["numerator"], Denominator: row["denominator"]}
		figure.Measure = &conspectus.Observation_Ratio{Ratio: ratio}
	} else if row["value"] != "" {
		figure.Measure = &conspectus.Observation_Number{Number: row["value"]}
	}
	return figure
}

// request makes the request of a file. Its id is of what it says, so that the same file is stored once, however often it
// is sent.
func request(content []byte, agency string) (*conspectus.SubmitObservationsRequest, error) {
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(content, []byte("\ufeff")))).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, errors.New("the file is empty")
	}
	id := sha256.Sum256(append([]byte(agency+"\n"), content...))
	message := &conspectus.SubmitObservationsRequest{Agency: agency, RequestId: hex.EncodeToString(id[:16])}
	for _, cells := range rows[1:] {
		row := map[string]string{}
		for at, heading := range rows[0] {
			row[heading] = cells[at]
		}
		message.Observations = append(message.Observations, observation(row))
	}
	return message, nil
}

// retryDelay is the delay that the server names, if it names one.
func retryDelay(refusal *status.Status) (time.Duration, bool) {
	for _, detail := range refusal.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			delay := info.GetRetryDelay()
			return time.Duration(delay.GetSeconds())*time.Second + time.Duration(delay.GetNanos()), true
		}
	}
	return 0, false
}

// isRetried says of two codes that they may pass: the server starts or stops, or has too much to do. Whatever else is
// refused is refused again.
func isRetried(code codes.Code) bool {
	return code == codes.Unavailable || code == codes.ResourceExhausted
}

// submit returns the answer, after as many attempts as it takes.
func submit(
	client conspectus.SubmissionServiceClient, message *conspectus.SubmitObservationsRequest, key string, attempts int,
) (*conspectus.SubmitObservationsResponse, error) {
	for attempt, delay := 1, delayFirst; ; attempt++ {
		call, cancel := context.WithTimeout(context.Background(), deadline)
		if key != "" {
			call = metadata.AppendToOutgoingContext(call, "authorization", "Bearer "+key)
		}
		answer, err := client.SubmitObservations(call, message)
		cancel()
		refusal := status.Convert(err)
		if err == nil || !isRetried(refusal.Code()) || attempt >= attempts {
			return answer, err
		}
		wait, isNamed := retryDelay(refusal)
		if !isNamed {
			wait = delay
		}
		if wait > delayMax {
			wait = delayMax
		}
		fmt.Fprintf(os.Stderr, "%s: %s; again in %s\n", name(refusal.Code()), refusal.Message(), wait)
		time.Sleep(wait)
		if delay *= 2; delay > delayMax {
			delay = delayMax
		}
	}
}

// name is a code's name as gRPC has it, such as RESOURCE_EXHAUSTED.
func name(code codes.Code) string {
	return strings.ToUpper(regexp.MustCompile("([a-z])([A-Z])").ReplaceAllString(code.String(), "${1}_$2"))
}

var inObservation = regexp.MustCompile(`^observations\[(\d+)\]\.?(.*)$`)

// inTheFile is the row of the file that a field is of, counted with the header.
func inTheFile(field string) string {
	found := inObservation.FindStringSubmatch(field)
	if found == nil {
		return field
	}
	index, err := strconv.Atoi(found[1])
	if err != nil {
		return field
	}
	row := fmt.Sprintf("row %d", index+2)
	if found[2] == "" {
		return row
	}
	return row + ", " + found[2]
}

// refuse prints an error with every violation, and returns the exit status.
func refuse(err error) int {
	refusal := status.Convert(err)
	fmt.Fprintf(os.Stderr, "%s: %s\n", name(refusal.Code()), refusal.Message())
	for _, detail := range refusal.Details() {
		if wrong, ok := detail.(*errdetails.BadRequest); ok {
			for _, violation := range wrong.GetFieldViolations() {
				fmt.Fprintf(os.Stderr, "  %s: %s\n", inTheFile(violation.GetField()), violation.GetDescription())
			}
		}
	}
	if exit, ok := exitStatus[refusal.Code()]; ok {
		return exit
	}
	return 1
}

// security is TLS with this authority; without one the key crosses the network as it is.
func security(ca string) (grpc.DialOption, error) {
	if ca == "" {
		return grpc.WithInsecure(), nil
	}
	tls, err := credentials.NewClientTLSFromFile(ca, "")
	return grpc.WithTransportCredentials(tls), err
}

func run() (int, error) {
	flags := flag.NewFlagSet("submit FILE", flag.ExitOnError)
	agency := flags.String("agency", "", "the agency that submits, by id")
	server := flags.String("server", "", "HOST:PORT")
	ca := flags.String("ca", "", "the authority that issued the server's certificate: PEM")
	attempts := flags.Int("attempts", attemptsDefault, "how often to try")
	// The library reads options up to the first argument, so the file is taken off before.
	if len(os.Args) > 1 {
		flags.Parse(os.Args[2:])
	}
	if *agency == "" || *server == "" || flags.NArg() > 0 {
		flags.Usage()
		return 2, nil
	}
	content, err := os.ReadFile(os.Args[1])
	if err != nil {
		return 1, err
	}
	message, err := request(content, *agency)
	if err != nil {
		return 3, err
	}
	secured, err := security(*ca)
	if err != nil {
		return 2, err
	}
	connection, err := grpc.Dial(*server, secured)
	if err != nil {
		return 2, err
	}
	defer connection.Close()
	client := conspectus.NewSubmissionServiceClient(connection)
	answer, err := submit(client, message, os.Getenv("CONSPECTUS_KEY"), *attempts)
	if err != nil {
		return refuse(err), nil
	}
	what := "received"
	if answer.GetAlreadyReceived() {
		what = "already received"
	}
	receipt := answer.GetReceipt()
	fmt.Printf("%s at revision %d: %d new, %d revised, %d unchanged; receipt %x\n", what, receipt.GetRevision(),
		receipt.GetNewCount(), receipt.GetRevisedCount(), receipt.GetUnchangedCount(), receipt.GetChainHash())
	return 0, nil
}

func main() {
	exit, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(exit)
}
