// A real OpenID Connect provider (oidc-provider) for one test, with the few things that a test asks of it at /control:
// to lie in its next ID tokens, to hold the way back, and to tell what it was.
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import * as jose from 'jose';
import Provider from 'oidc-provider';

const { ISSUER, ADDRESS, PORT, REDIRECT, KEY, ACCOUNTS } = process.env;

const accounts = JSON.parse(ACCOUNTS);
const { privateKey, publicKey } = await jose.generateKeyPair('RS256', { extractable: true });
const stranger = await jose.generateKeyPair('RS256', { extractable: true });
const key = { ...(await jose.exportJWK(privateKey)), kid: KEY, use: 'sig', alg: 'RS256' };

const provider = new Provider(ISSUER, {
    clients: [{
        client_id: 'sidetone', client_secret: 'a secret of sidetone & nobody else',
        redirect_uris: [REDIRECT], response_types: ['code'], grant_types: ['authorization_code'],
    }],
    claims: { openid: ['sub'], profile: ['name', 'groups', 'extension'], email: ['email', 'email_verified'] },
    conformIdTokenClaims: false,
    findAccount: (_, id) => ({ accountId: id, claims: async () => ({ sub: id, ...accounts[id] }) }),
    pkce: { required: () => true },
    cookies: { keys: ['of this test'] },
    jwks: { keys: [key] },
});

let lie = '';
let held = false;
let last = '';

const encoded = (value) => Buffer.from(value).toString('base64url');

async function forged(token) {
    const claims = jose.decodeJwt(token);
    const header = { alg: 'RS256', kid: KEY };
    const sign = (secret) => new jose.SignJWT(claims).setProtectedHeader(header).sign(secret);
    switch (lie) {
        case 'nonce': claims.nonce = 'of-another-attempt'; return sign(privateKey);
        case 'audience': claims.aud = 'another-client'; return sign(privateKey);
        case 'issuer': claims.iss = 'https://another.example'; return sign(privateKey);
        case 'expired': claims.exp = Math.floor(Date.now() / 1000) - 3600; return sign(privateKey);
        case 'stranger': return sign(stranger.privateKey);
        case 'none': return `${encoded(JSON.stringify({ alg: 'none' }))}.${token.split('.')[1]}.`;
        case 'hs256': {
            // The public key as a shared secret: the old trick.
            const signed = `${encoded(JSON.stringify({ alg: 'HS256', kid: KEY }))}.${token.split('.')[1]}`;
            const secret = await jose.exportSPKI(publicKey);
            return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
        }
        default: return token;
    }
}

provider.use(async (ctx, next) => {
    await next();
    if (ctx.path === '/token' && ctx.body?.id_token) {
        ctx.body = { ...ctx.body, id_token: await forged(ctx.body.id_token) };
    }
    const location = ctx.response.get('location') ?? '';
    if (location.startsWith(REDIRECT)) {
        last = location;
        if (held) {
            ctx.status = 200;
            ctx.remove('location');
            ctx.body = 'held here';
        }
    }
});

const answer = provider.callback();
createServer((request, response) => {
    const asked = new URL(request.url, ISSUER);
    if (asked.pathname === '/control') {
        lie = asked.searchParams.get('lie') ?? lie;
        held = (asked.searchParams.get('hold') ?? String(held)) === 'true';
        response.end(last);
    } else {
        answer(request, response);
    }
}).listen(Number(PORT), ADDRESS);
