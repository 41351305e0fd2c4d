// An OpenID provider on loopback with the device flow and strict rotation: a refresh token
// is good once, and using an old one again ends the whole grant.
//
//   node oidc.mjs KEY.pem CERT.pem SECONDS    prints {"issuer":…}; ends with its input
//
// Its pages take any login; SECONDS is the life of access tokens. One line of JSON per event on standard output.
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import Provider from "oidc-provider";

const [, , key, cert, life] = process.argv;
const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) });
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const issuer = `https://127.0.0.1:${server.address().port}`;

const tell = (what) => process.stdout.write(JSON.stringify(what) + "\n");

const provider = new Provider(issuer, {
  clients: [{
    client_id: "vaguemestre", token_endpoint_auth_method: "none", redirect_uris: [], response_types: [],
    grant_types: ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
  }],
  scopes: ["openid", "offline_access", "email"],
  claims: { openid: ["sub", "email"] },
  conformIdTokenClaims: false,
  features: { deviceFlow: { enabled: true }, devInteractions: { enabled: true }, userinfo: { enabled: true } },
  rotateRefreshToken: true,
  issueRefreshToken: async (ctx, client, code) => code.scopes.has("offline_access"),
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id, email: id }) }),
  ttl: { AccessToken: Number(life), DeviceCode: 600, IdToken: 3600, RefreshToken: 86400, Grant: 86400, Session: 86400, Interaction: 600 },
});

// What happened, for the test to count.
provider.on("grant.success", (ctx) => tell({ event: "success", grant: ctx.oidc.params.grant_type }));
provider.on("grant.error", (ctx, err) => tell({ event: "error", grant: ctx.oidc?.params?.grant_type, error: err.error, detail: err.error_detail }));
provider.on("grant.revoked", () => tell({ event: "revoked" }));
provider.on("server_error", (ctx, err) => tell({ event: "fault", error: String(err && err.stack) }));

server.on("request", provider.callback());
process.stdin.resume().on("end", () => process.exit(0));
tell({ issuer });
