// A partner's system in Node: the protos loaded as they are, nothing of ours.
//
// Usage: client.js HOST:PORT. The server's data folder must be a fresh one.

'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');
const protobuf = require('protobufjs');

const SERVICES = ['catalogue', 'submission', 'picture'].map((name) => `conspectus/v1/${name}_service.proto`);
const AREA = 'JS-COUNTY';
const AGENCY = 'js-police';
const INDICATOR = 'js-visits';

// What the error details are made of: the loader carries Google's types only in part.
const rpc = protobuf.parse(`
  syntax = "proto3";
  package google.rpc;
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message ErrorInfo { string reason = 1; string domain = 2; }
  message BadRequest {
    message FieldViolation { string field = 1; string description = 2; }
    repeated FieldViolation field_violations = 1;
  }
`).root;

/** The method as a promise. */
function call(client, method, request) {
  const deadline = Date.now() + 10_000;
  return new Promise((resolve, reject) => {
    client[method](request, { deadline }, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}

/** The details of an error, by type. */
function details(error) {
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  assert.ok(bytes, `no details came with ${error}`);
  const status = rpc.lookupType('google.rpc.Status').decode(bytes);
  assert.equal(status.code, error.code);
  return Object.fromEntries(
    status.details.map((any) => {
      const name = any.typeUrl.split('/').pop();
      return [name, rpc.lookupType(name).decode(any.value)];
    }),
  );
}

async function main(address) {
  const definition = loader.loadSync(SERVICES, {
    includeDirs: [path.join(__dirname, '..', '..', 'proto')],
    longs: Number,
    enums: String,
    defaults: true,
  });
  const { v1 } = grpc.loadPackageDefinition(definition).conspectus;
  const open = (service) => new v1[service](address, grpc.credentials.createInsecure());
  const [catalogue, submissions, pictures] = ['CatalogueService', 'SubmissionService', 'PictureService'].map(open);

  const put = await call(catalogue, 'putCatalogue', {
    areas: [{ code: AREA, name: 'A county', level: 'AREA_LEVEL_UPPER_TIER' }],
    agencies: [{ id: AGENCY, name: 'Police', sector: 'SECTOR_POLICE', areas: [AREA] }],
    indicators: [
      {
        id: INDICATOR,
        title: 'Visits',
        definition: 'Made up for this test.',
        unit: 'visits',
        kind: 'KIND_EVENTS',
        frequency: 'FREQUENCY_MONTH',
        dueDays: 30,
        reportingLevel: 'AREA_LEVEL_UPPER_TIER',
        acrossAgencies: 'ACROSS_AGENCIES_ADD',
        expectedAgencies: [{ agency: AGENCY }],
      },
    ],
  });
  assert.deepEqual(put.indicators, ['PUT_OUTCOME_CREATED']);

  const visits = (period, number) => ({ indicator: INDICATOR, area: AREA, period, number });
  const request = {
    agency: AGENCY,
    requestId: 'js-1',
    observations: [visits('2022-05', '20'), visits('2022-06', '30')],
  };
  const first = await call(submissions, 'submitObservations', request);
  assert.equal(first.alreadyReceived, false);
  assert.equal(first.receipt.newCount, 2);
  assert.equal(first.receipt.chainHash.length, 32);
  const again = await call(submissions, 'submitObservations', request);
  assert.equal(again.alreadyReceived, true);
  assert.deepEqual(again.receipt, first.receipt);

  const bad = { agency: AGENCY, requestId: 'js-bad', observations: [visits('2022', '1'), visits('2022-06', '-1')] };
  const error = await call(submissions, 'submitObservations', bad).then(assert.fail, (error) => error);
  assert.equal(error.code, grpc.status.INVALID_ARGUMENT, String(error));
  const found = details(error);
  assert.equal(found['google.rpc.ErrorInfo'].domain, 'conspectus');
  assert.equal(found['google.rpc.ErrorInfo'].reason, 'INVALID_REQUEST');
  assert.deepEqual(
    found['google.rpc.BadRequest'].fieldViolations.map((violation) => violation.field).sort(),
    ['observations[0].period', 'observations[1].number'],
  );

  const minRevision = first.receipt.revision;
  const picture = await call(pictures, 'getPicture', { area: AREA, period: '2022-06', minRevision });
  assert.deepEqual(picture.rows.map((row) => row.indicator.id), [INDICATOR]);
  assert.equal(picture.rows[0].combined.value, '30');
  assert.equal(picture.rows[0].change.percent, '50.0');

  const quarter = await call(pictures, 'queryAggregate', {
    indicators: [INDICATOR],
    areas: [AREA],
    periods: ['Apr-Jun 2022'],
    minRevision,
  });
  assert.deepEqual(quarter.rows.map((row) => row.figure.value), ['50']);
  assert.equal(quarter.rows[0].figure.coverage.complete, false);

  // An answer that isn't there is absent, not an empty text.
  const nothing = await call(pictures, 'getPicture', { area: AREA, period: '2022-07' });
  assert.equal('value' in nothing.rows[0].combined, false);
  assert.equal(nothing.rows[0].combined.gap, 'GAP_NOT_REPORTED');

  for (const client of [catalogue, submissions, pictures]) client.close();
}

main(process.argv[2]).catch((error) => {
  console.error(error);
  process.exit(1);
});
