// An OpenID provider with two clients, one user, a login form without scripts, and refresh tokens that rotate.
// Prints one line of JSON when it listens. Settings come in HEADRACE_OIDC as JSON: clients, user, password, life.
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const settings = JSON.parse(process.env.HEADRACE_OIDC);
const http = createServer();
await new Promise((listening) => http.listen(0, '127.0.0.1', listening));
const issuer = `http://127.0.0.1:${http.address().port}`;

const client = (id, how) => ({
  client_id: id,
  client_secret: settings.secret,
  client_name: 'Headrace',
  token_endpoint_auth_method: how,
  grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
  response_types: ['code'],
  redirect_uris: ['https://headrace.example/callback'],
});

const provider = new Provider(issuer, {
  clients: [client(settings.byForm, 'client_secret_post'), client(settings.byHeader, 'client_secret_basic')],
  scopes: ['openid', 'offline_access', 'lists.read', 'lists.write'],
  pkce: { required: () => true },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    revocation: { enabled: true },
    introspection: { enabled: true },
  },
  cookies: { keys: ['for tests alone'] },
  ttl: { AccessToken: settings.life, ClientCredentials: settings.life, AuthorizationCode: 60, Interaction: 600,
    Grant: 86400, Session: 86400, RefreshToken: 86400, IdToken: 3600 },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  issueRefreshToken: (_, known) => known.grantTypeAllowed('refresh_token'),
  rotateRefreshToken: true,
  loadExistingGrant: consented,
  renderError: (ctx, out) => {
    ctx.type = 'text/plain';
    ctx.body = `${out.error}: ${out.error_description ?? ''}`;
  },
});
// The tests' own servers listen where there is room, so any address on this machine is as good as the one above.
provider.Client.prototype.redirectUriAllowed = (uri) => ['127.0.0.1', 'localhost'].includes(URL.parse(uri)?.hostname);

/** Whoever signs in agrees to what is asked: the form says so. */
async function consented(ctx) {
  const grant = new provider.Grant({ accountId: ctx.oidc.session.accountId, clientId: ctx.oidc.client.clientId });
  grant.addOIDCScope(ctx.oidc.params.scope ?? '');
  await grant.save();
  return grant;
}

const page = (wrong) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>Sign in</title>
<h1>Sign in and let Headrace use your lists</h1>${wrong ? '<p role="alert">The user name or the password is wrong.</p>' : ''}
<form method="post">
<p><label>User name <input name="username" autocomplete="username" required></label></p>
<p><label>Password <input name="password" type="password" autocomplete="current-password" required></label></p>
<p><button name="answer" value="yes">Sign in</button> <button name="answer" value="no" formnovalidate>Cancel</button></p>
</form></html>`;

async function typed(request) {
  let body = '';
  for await (const piece of request) body += piece;
  return new URLSearchParams(body);
}

async function interact(request, response) {
  await provider.interactionDetails(request, response);
  const form = request.method === 'POST' ? await typed(request) : new URLSearchParams();
  if (form.get('answer') === 'no') {
    const refused = { error: 'access_denied', error_description: 'The user said no.' };
    return provider.interactionFinished(request, response, refused, { mergeWithLastSubmission: false });
  }
  if (form.get('username') === settings.user && form.get('password') === settings.password) {
    const login = { login: { accountId: settings.user } };
    return provider.interactionFinished(request, response, login, { mergeWithLastSubmission: false });
  }
  response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-store' });
  return response.end(page(form.size > 0));
}

const provide = provider.callback();
http.on('request', (request, response) => {
  if (!request.url.startsWith('/interaction/')) return provide(request, response);
  return interact(request, response).catch((error) => {
    response.writeHead(400, { 'Content-Type': 'text/plain' });
    response.end(error.message);
  });
});
console.log(JSON.stringify({ issuer }));
