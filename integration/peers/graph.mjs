// Microsoft's own clients on a fake Microsoft 365: signs in with a code, sends, uploads a large
// attachment, lists by pages, fetches the source of a mail.
//
//   GRAPH=https://127.0.0.1:PORT CLIENT=id TO=address LARGE=bytes node graph.mjs
//
// One line of JSON per step on standard output; NODE_EXTRA_CA_CERTS names the authority.
import { createHash } from "node:crypto";
import { PublicClientApplication } from "@azure/msal-node";
import { Client, LargeFileUploadTask, PageIterator, FileUpload } from "@microsoft/microsoft-graph-client";

const { GRAPH, CLIENT, TO, LARGE } = process.env;
const tell = (step, more) => process.stdout.write(JSON.stringify({ step, ...more }) + "\n");
const host = new URL(GRAPH).host;

const msal = new PublicClientApplication({
  auth: { clientId: CLIENT, authority: `${GRAPH}/common`, knownAuthorities: [host] },
});
const scopes = ["User.Read", "Mail.Send", "Mail.ReadWrite"];
const signedIn = await msal.acquireTokenByDeviceCode({
  scopes,
  deviceCodeCallback: (r) => tell("code", { code: r.userCode, page: r.verificationUri, seconds: r.expiresIn }),
});
tell("signed in", { user: signedIn.account.username, name: signedIn.account.name, tenant: signedIn.tenantId, scopes: signedIn.scopes });

// A second token comes by the refresh token that the cache holds.
const again = await msal.acquireTokenSilent({ account: signedIn.account, scopes, forceRefresh: true });
tell("refreshed", { other: again.accessToken !== signedIn.accessToken, user: again.account.username });

const graph = Client.init({
  baseUrl: `${GRAPH}/`, defaultVersion: "v1.0", customHosts: new Set([new URL(GRAPH).hostname]),
  authProvider: (done) => done(null, again.accessToken),
});
const me = await graph.api("/me").get();
tell("me", { address: me.userPrincipalName, name: me.displayName });

const message = (subject, attachments) => ({
  subject, body: { contentType: "Text", content: "Bonjour,\n\nVoici la délibération de l'été.\n" },
  toRecipients: [{ emailAddress: { address: TO } }], attachments,
});
const pdf = Buffer.from("%PDF-1.4\n% facture de l'été\n%%EOF\n");
await graph.api("/me/sendMail").post({
  message: message("Facture n° 114 – été", [{ "@odata.type": "#microsoft.graph.fileAttachment", name: "Facture été.pdf",
    contentType: "application/pdf", contentBytes: pdf.toString("base64") }]),
});
tell("sent", { sha256: sha256(pdf) });

// A large attachment: draft, upload session in ranges, send.
const large = Buffer.alloc(Number(LARGE));
for (let i = 0, x = 1; i < large.length; i++) large[i] = (x = (x * 1103515245 + 12345) & 0x7fffffff) >> 16;
const draft = await graph.api("/me/messages").header("Prefer", 'IdType="ImmutableId"').post(message("Plan de masse", []));
const session = await LargeFileUploadTask.createUploadSession(graph, `${GRAPH}/v1.0/me/messages/${draft.id}/attachments/createUploadSession`,
  { AttachmentItem: { attachmentType: "file", name: "Plan n°3.tif", size: large.length, contentType: "image/tiff" } });
let ranges = 0;
const task = new LargeFileUploadTask(graph, new FileUpload(large, "Plan n°3.tif", large.length), session,
  { rangeSize: 10 * 320 * 1024, uploadEventHandlers: { progress: () => { ranges++; } } });
const uploaded = await task.upload();
tell("uploaded", { sha256: sha256(large), ranges, location: Boolean(uploaded.location) });
await graph.api(`/me/messages/${draft.id}/send`).post({});
tell("sent large");

// Pages: as many as the server gives.
const first = await graph.api("/me/mailFolders/inbox/messages").select("id,subject,hasAttachments").top(3).get();
const subjects = [];
await new PageIterator(graph, first, (m) => { subjects.push(m.subject); return true; }).iterate();
tell("listed", { first: first.value.length, subjects });

const folders = await graph.api("/me/mailFolders").get();
tell("folders", { names: folders.value.map((f) => f.displayName) });

// The source of a mail.
const stream = await graph.api(`/me/messages/${first.value[0].id}/$value`).getStream();
const chunks = [];
for await (const c of stream) chunks.push(Buffer.from(c));
tell("source", { sha256: sha256(Buffer.concat(chunks)), subject: first.value[0].subject });

// What is not there gives an error that the client understands.
try {
  await graph.api(`/me/messages/${first.value[0].id.slice(0, -8)}AAAAAAA=`).get();
  tell("missing", { code: "none" });
} catch (e) {
  tell("missing", { status: e.statusCode, code: e.code, request: Boolean(e.requestId) });
}

function sha256(b) { return createHash("sha256").update(b).digest("hex"); }
