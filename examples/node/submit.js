// Submits the figures of a CSV file, and may be run again and again.
//
// Usage: submit.js FILE --agency ID --server HOST:PORT [--ca FILE] [--protos FOLDER] [--attempts N]; the key is taken from
// CONSPECTUS_KEY. The file's columns are indicator, area, period, value, and where they are needed numerator, denominator, markers (separated by
// spaces) and note.
//
// Ends with 0 when the figures are stored or were before, 3 when they are refused, 4 when the key may not submit them, 5 when no
// server answers, 6 when it is busy, and 1 on anything else.

'use strict';

const { createHash } = require('node:crypto');
const fs = require('node:fs');
const { parseArgs } = require('node:util');
const { setTimeout: sleep } = require('node:timers/promises');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');
const protobuf = require('protobufjs');

const DEADLINE_MS = 30_000;
const ATTEMPTS_DEFAULT = 6;
const FIRST_DELAY_MS = 1_000;
const DELAY_MS_MAX = 60_000;

// These two may pass: the server starts or stops, or has too much to do. Whatever else is refused is refused again.
const RETRIED = [grpc.status.UNAVAILABLE, grpc.status.RESOURCE_EXHAUSTED];
const EXIT_STATUS = {
  [grpc.status.INVALID_ARGUMENT]: 3,
  [grpc.status.ALREADY_EXISTS]: 3,
  [grpc.status.UNAUTHENTICATED]: 4,
  [grpc.status.PERMISSION_DENIED]: 4,
  [grpc.status.UNAVAILABLE]: 5,
  [grpc.status.DEADLINE_EXCEEDED]: 5,
  [grpc.status.RESOURCE_EXHAUSTED]: 6,
};
const MARKERS = {
  c: 'MARKER_CONFIDENTIAL',
  x: 'MARKER_NOT_AVAILABLE',
  z: 'MARKER_NOT_APPLICABLE',
  low: 'MARKER_LOW',
  u: 'MARKER_UNRELIABLE',
  e: 'MARKER_ESTIMATED',
  p: 'MARKER_PROVISIONAL',
  r: 'MARKER_REVISED',
  b: 'MARKER_BREAK',
};

// The error details of Google's that the service sends.
const rpc = protobuf.parse(`
  syntax = "proto3";
  package google.rpc;
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message Duration { int64 seconds = 1; int32 nanos = 2; }
  message RetryInfo { Duration retry_delay = 1; }
  message BadRequest {
    message FieldViolation { string field = 1; string description = 2; }
    repeated FieldViolation field_violations = 1;
  }
`).root;

/** The cells of a line of a CSV file, with quotes and without line breaks in them. */
function cells(line) {
  const found = [];
  const cell = /("([^"]|"")*"|[^,]*)(,|$)/gy;
  for (let match = cell.exec(line); match; match = cell.exec(line)) {
    const text = match[1];
    found.push(text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text);
    if (match[3] === '') break;
  }
  return found;
}

/** A row of the file as a figure. Numbers stay the text that they are: the service reads them exactly. */
function observation(row) {
  const { indicator, area, period, note = '' } = row;
  const markers = (row.markers ?? '').split(' ').filter(Boolean).map((text) => MARKERS[text] ?? 'MARKER_UNSPECIFIED');
  const found = { indicator, area, period, markers, note };
  if (row.denominator) return { ...found, ratio: { numerator: row.numerator, denominator: row.denominator } };
  return row.value ? { ...found, number: row.value } : found;
}

/** The request of a file. Its id is of what it says, so that the same file is stored once, however often it is sent. */
function request(content, agency) {
  const lines = content.toString('utf8').replace(/^\uFEFF/, '').split(/\r?\n/).filter(Boolean);
  const header = cells(lines[0]);
  const rows = lines.slice(1).map((line) => Object.fromEntries(cells(line).map((text, at) => [header[at], text])));
  const requestId = createHash('sha256').update(`${agency}\n`).update(content).digest('hex').slice(0, 32);
  return { agency, requestId, observations: rows.map(observation) };
}

/** The error's detail of a kind; undefined when the server sent none, or wasn't reached. */
function detail(error, kind) {
  const [bytes] = error.metadata?.get('grpc-status-details-bin') ?? [];
  if (!bytes) return undefined;
  const { details } = rpc.lookupType('google.rpc.Status').decode(bytes);
  const found = details.find((any) => any.typeUrl.endsWith(`/google.rpc.${kind}`));
  return found && rpc.lookupType(`google.rpc.${kind}`).decode(found.value);
}

/** The answer, after as many attempts as it takes. */
async function submit(client, message, key, attempts) {
  for (let attempt = 1, delay = FIRST_DELAY_MS; ; attempt += 1, delay = Math.min(2 * delay, DELAY_MS_MAX)) {
    const metadata = new grpc.Metadata();
    if (key) metadata.set('authorization', `Bearer ${key}`);
    try {
      return await new Promise((resolve, reject) => {
        client.submitObservations(message, metadata, { deadline: Date.now() + DEADLINE_MS }, (error, answer) =>
          error ? reject(error) : resolve(answer),
        );
      });
    } catch (error) {
      if (!RETRIED.includes(error.code) || attempt >= attempts) throw error;
      const named = detail(error, 'RetryInfo')?.retryDelay;
      const pause = named ? Number(named.seconds) * 1_000 + named.nanos / 1e6 : delay;
      console.error(`${grpc.status[error.code]}: ${error.details}; again in ${pause / 1_000} s`);
      await sleep(Math.min(pause, DELAY_MS_MAX));
    }
  }
}

/** The row of the file that a field is of, counted with the header. */
function inTheFile(field) {
  const [, index, rest] = /^observations\[(\d+)\](.*)$/.exec(field) ?? [];
  return index === undefined ? field : `row ${Number(index) + 2}${rest.replace('.', ', ')}`;
}

async function main() {
  const options = {
    agency: { type: 'string' },
    server: { type: 'string' },
    ca: { type: 'string' },
    protos: { type: 'string', default: 'proto' },
    attempts: { type: 'string', default: String(ATTEMPTS_DEFAULT) },
  };
  const { values: given, positionals } = parseArgs({ options, allowPositionals: true });
  if (positionals.length !== 1 || !given.agency || !given.server) {
    console.error('usage: submit.js FILE --agency ID --server HOST:PORT [--ca FILE] [--protos FOLDER] [--attempts N]');
    process.exit(2);
  }
  const definition = loader.loadSync('conspectus/v1/submission_service.proto', {
    includeDirs: [given.protos],
    longs: Number,
    enums: String,
    defaults: true,
  });
  const credentials = given.ca
    ? grpc.credentials.createSsl(fs.readFileSync(given.ca))
    : grpc.credentials.createInsecure();
  const { SubmissionService } = grpc.loadPackageDefinition(definition).conspectus.v1;
  const client = new SubmissionService(given.server, credentials);
  const message = request(fs.readFileSync(positionals[0]), given.agency);
  try {
    const answer = await submit(client, message, process.env.CONSPECTUS_KEY, Number(given.attempts));
    const { revision, newCount, revisedCount, unchangedCount, chainHash } = answer.receipt;
    const what = answer.alreadyReceived ? 'already received' : 'received';
    const counts = `${newCount} new, ${revisedCount} revised, ${unchangedCount} unchanged`;
    console.log(`${what} at revision ${revision}: ${counts}; receipt ${Buffer.from(chainHash).toString('hex')}`);
  } catch (error) {
    console.error(`${grpc.status[error.code] ?? error}: ${error.details ?? ''}`);
    for (const { field, description } of detail(error, 'BadRequest')?.fieldViolations ?? []) {
      console.error(`  ${inTheFile(field)}: ${description}`);
    }
    process.exitCode = EXIT_STATUS[error.code] ?? 1;
  } finally {
    client.close();
  }
}

main();
