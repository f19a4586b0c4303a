// A partner's system with Connect: the protocol by its own library, as JSON and as binary messages.
//
// Usage: connect.js HOST:PORT DESCRIPTORS; a server with the demo, its keys in the environment, and the protos as buf compiles
// them.

'use strict';

const assert = require('node:assert/strict');
const { randomUUID } = require('node:crypto');
const fs = require('node:fs');
const { createFileRegistry, fromBinary } = require('@bufbuild/protobuf');
const { FileDescriptorSetSchema } = require('@bufbuild/protobuf/wkt');
const { Code, ConnectError, createClient } = require('@connectrpc/connect');
const { createConnectTransport } = require('@connectrpc/connect-node');

const AGENCY = 'portsmouth-childrens-services';
const QUESTION = { area: 'E10000014', period: '2021/22', indicators: ['initial-contacts'] };
const DEADLINE_MS = 10_000;

/** Sends a key, and a purpose. */
const as = (key) => (next) => (request) => {
  if (key) request.header.set('authorization', `Bearer ${key}`);
  request.header.set('conspectus-purpose', 'a test');
  return next(request);
};

/** The first answer is lost on the way, after the server has done what was asked. */
function losesTheFirstAnswer() {
  let calls = 0;
  return (next) => async (request) => {
    const answer = await next(request);
    calls += 1;
    if (calls === 1) throw new ConnectError('lost', Code.Unavailable);
    return answer;
  };
}

/** Asks again, with the same message, after an error that may pass. */
const retries = (next) => async (request) => {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await next(request);
    } catch (error) {
      const { code } = ConnectError.from(error);
      if (![Code.Unavailable, Code.ResourceExhausted].includes(code) || attempt === 3) throw error;
    }
  }
};

/** How a call fails. */
const failure = (call) => call.then(assert.fail, (error) => ConnectError.from(error));

/** The details of an error, each as JSON, by type. */
const details = (error) => Object.fromEntries(error.details.map((detail) => [detail.type.split('.').pop(), detail.debug]));

async function submits(open) {
  const client = open(process.env.CONSPECTUS_KEY_PORTSMOUTH_CHILDRENS_SERVICES, 'SubmissionService', [retries, losesTheFirstAnswer()]);
  const number = (value) => ({ case: 'number', value });
  const visits = (period, measure) => ({ indicator: 'missing-episodes', area: 'E06000044', period, measure });
  const request = { agency: AGENCY, requestId: randomUUID(), observations: [visits('2023-07', number('64')), visits('2023-08', number('70'))] };
  const answer = await client.submitObservations(request);
  assert.equal(answer.alreadyReceived, true, 'the first attempt stored it');
  const { newCount, revisedCount, unchangedCount, chainHash } = answer.receipt;
  assert.equal(newCount + revisedCount + unchangedCount, 2);
  assert.equal(chainHash.length, 32);

  const observations = [visits('2022', number('1')), visits('2022-06', number('-1'))];
  const error = await failure(client.submitObservations({ agency: AGENCY, requestId: 'connect-bad', observations }));
  assert.equal(error.code, Code.InvalidArgument, String(error));
  const { ErrorInfo, BadRequest } = details(error);
  assert.equal(ErrorInfo.reason, 'INVALID_REQUEST');
  const fields = BadRequest.fieldViolations.map(({ field }) => field);
  assert.deepEqual(fields.sort(), ['observations[0].period', 'observations[1].number']);
}

async function reads(open) {
  const client = open(process.env.CONSPECTUS_KEY_ANALYST, 'PictureService', []);
  const { rows } = await client.getPicture(QUESTION);
  assert.equal(rows[0].combined.value, '153033');
  assert.equal(rows[0].change.percent, '21.3');

  const late = await failure(client.getPicture(QUESTION, { timeoutMs: 1 }));
  assert.equal(late.code, Code.DeadlineExceeded, String(late));
  const nobody = await failure(open(undefined, 'PictureService', []).getPicture(QUESTION));
  assert.equal(nobody.code, Code.Unauthenticated, String(nobody));
  assert.equal(details(nobody).ErrorInfo.reason, 'UNAUTHENTICATED');
}

async function main(address, descriptors) {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, fs.readFileSync(descriptors)));
  const baseUrl = `http://${address}`;
  const lanes = [
    { useBinaryFormat: false, httpVersion: '1.1' },
    { useBinaryFormat: true, httpVersion: '1.1' },
    { useBinaryFormat: false, httpVersion: '1.1', useHttpGet: true },
    { useBinaryFormat: true, httpVersion: '2' },
  ];
  for (const lane of lanes) {
    const open = (key, service, interceptors) => {
      const transport = createConnectTransport({ baseUrl, defaultTimeoutMs: DEADLINE_MS, ...lane, interceptors: [...interceptors, as(key)] });
      return createClient(registry.getService(`conspectus.v1.${service}`), transport);
    };
    await submits(open);
    await reads(open);
  }
}

main(...process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
