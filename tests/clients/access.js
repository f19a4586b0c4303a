// Who may call what, over real mutual TLS, by a client that shares nothing with the server.
//
// Usage: access.js HOST:PORT CERTIFICATES, a folder with ca.pem and each caller's certificate.

'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const rows = JSON.parse(fs.readFileSync(path.join(__dirname, 'matrix.json'), 'utf8'));
const ROLES = ['submitter', 'corrector', 'reader', 'analyst', 'steward', 'operator'];
// Callers that nobody knows: no certificate, a name that no identity has, one of an identity that is
// revoked. All of them get through TLS.
const UNKNOWN = [null, 'unknown', 'gone'];
// Certificates that TLS doesn't let through: of another authority, and on the list of revoked ones.
const FOREIGN = ['foreign', 'revoked'];
const { UNAUTHENTICATED, PERMISSION_DENIED, UNAVAILABLE } = grpc.status;

/** The status of a call, of whatever kind; of a stream, once its first message is there: a stream of submissions
 * answers each for itself. */
function status(client, method, request, key) {
  const metadata = new grpc.Metadata();
  metadata.set('conspectus-purpose', 'a test');
  if (key) metadata.set('authorization', key);
  const deadline = Date.now() + 10_000;
  return new Promise((resolve) => {
    if (client[method].responseStream) {
      const { requestStream } = client[method];
      const stream = requestStream ? client[method](metadata, { deadline }) : client[method](request, metadata, { deadline });
      if (requestStream) stream.end(request);
      stream.on('error', (error) => resolve(error.code));
      stream.on('data', (message) => {
        resolve(requestStream && message.refused ? message.refused.code : grpc.status.OK);
        stream.cancel();
      });
    } else {
      client[method](request, metadata, { deadline }, (error) => resolve(error ? error.code : grpc.status.OK));
    }
  });
}

async function main(address, certificates) {
  const read = (file) => fs.readFileSync(path.join(certificates, file));
  const names = [...new Set(rows.map((row) => row.service))];
  const protos = names.map((name) => `conspectus/v1/${name.replace('Service', '').toLowerCase()}_service.proto`);
  const includeDirs = [path.join(__dirname, '..', '..', 'proto')];
  const { v1 } = grpc.loadPackageDefinition(loader.loadSync(protos, { includeDirs, enums: String })).conspectus;
  const known = names.flatMap((name) => Object.values(v1[name].service).map((method) => method.path));
  const named = rows.map((row) => `/conspectus.v1.${row.service}/${row.method}`);
  assert.deepEqual(named.sort(), known.sort(), 'a row for each method');

  const open = (name) => {
    const pair = name ? [read(`${name}-key.pem`), read(`${name}.pem`)] : [];
    const credentials = grpc.credentials.createSsl(read('ca.pem'), ...pair);
    return Object.fromEntries(names.map((service) => [service, new v1[service](address, credentials)]));
  };
  let cells = 0;
  const check = (found, wanted, what) => {
    cells += 1;
    const refused = [UNAUTHENTICATED, PERMISSION_DENIED, UNAVAILABLE].includes(found) ? found : null;
    assert.equal(refused, wanted, what);
  };
  for (const name of [...ROLES, ...UNKNOWN]) {
    const clients = open(name);
    for (const row of rows) {
      for (const whose of ['own', 'other']) {
        const what = `${row.method} by ${name} about ${whose}`;
        const allowed = row.allowed.includes(name) || (whose === 'own' && row.allowed.includes(`${name}/own`));
        const wanted = UNKNOWN.includes(name) ? UNAUTHENTICATED : allowed ? null : PERMISSION_DENIED;
        check(await status(clients[row.service], row.method, row[whose]), wanted, what);
        // A key that is no key is refused, whatever certificate comes with it.
        const malformed = await status(clients[row.service], row.method, row[whose], 'Bearer cps_');
        check(malformed, UNAUTHENTICATED, `${what} with a malformed key`);
      }
    }
    for (const client of Object.values(clients)) client.close();
  }
  for (const name of FOREIGN) {
    const clients = open(name);
    check(await status(clients.CatalogueService, 'GetAgency', { id: 'hampshire-icb' }), UNAVAILABLE, name);
    for (const client of Object.values(clients)) client.close();
  }
  console.log(`${cells} cells, each as it should be`);
}

main(...process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
