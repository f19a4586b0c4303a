// A certified OpenID Connect provider (npm oidc-provider), on this machine, for the test of signing in.
//
// Usage: provider.mjs, from a folder with oidc-provider in its node_modules. It prints its issuer, and ends with its
// standard input.

import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const require = createRequire(path.join(process.cwd(), 'package.json'));
const { Provider } = await import(pathToFileURL(require.resolve('oidc-provider')));

const server = createServer();
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://localhost:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [{
    client_id: 'figures',
    client_secret: 'the secret of this client',
    redirect_uris: ['https://figures.example/sign-in/callback'],
  }],
  cookies: { keys: ['a key for cookies of tests'] },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  // Short, so that a clock that is a little ahead finds it expired.
  ttl: { IdToken: 30, AuthorizationCode: 60, AccessToken: 60, Grant: 600, Interaction: 600, Session: 600 },
});
server.on('request', provider.callback());

console.log(issuer);
process.stdin.on('end', () => process.exit()).resume();
