// An identity provider (OIDC) whose tokens have the audience and the scopes that are asked for. It prints its issuer.
import { OAuth2Server } from "oauth2-mock-server";

const server = new OAuth2Server();
await server.issuer.keys.generate("RS256");
server.service.on("beforeTokenSigning", (token, request) => {
  token.payload.sub = request.body.client_id;
  token.payload.aud = request.body.audience;
});
await server.start(0, "127.0.0.1");
console.log(server.issuer.url);
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
