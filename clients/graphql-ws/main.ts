// graphql-ws: a subscription over graphql-transport-ws that sees a change, ends, and goes on behind its last cursor; a
// query on the same connection; a document and a key that are refused.
import assert from "node:assert/strict";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { rename } from "../deals";
import { authorization, url } from "../live";

type Change = { events: { type: string; sequence: string; noun: string; recordId: string; changed: string[] } };

const CHANGES = `subscription Changes($after: String) {
  events(types: ["opportunity.updated"], after: $after) { type sequence noun recordId changed }
}`;

function connect(authorization: string) {
  return createClient({
    url: `${url.replace("http", "ws")}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization },
    lazy: true,
    retryAttempts: 0,
  });
}

const client = connect(authorization);
const me = client.iterate<{ me: { role: string } }>({ query: "{ me { role } }" });
for await (const answer of me) assert.equal(answer.data?.me.role, "admin");

const beginning = Date.now();
const following = client.iterate<Change>({ query: CHANGES });
const first = following.next();
await new Promise((resolve) => setTimeout(resolve, 1500));
await rename("clients:deal-1", "Seen over a socket");
const seen = (await first).value.data?.events;
assert(seen);
assert.deepEqual(seen.changed, ["name"]);
assert.equal(seen.noun, "opportunities");
assert(Date.now() - beginning < 20_000);
await following.return?.();

await rename("clients:deal-2", "Seen after coming back");
const back = client.iterate<Change>({ query: CHANGES, variables: { after: seen.sequence } });
const next = (await back.next()).value.data?.events;
assert(next && next.recordId !== seen.recordId, "what happened in between is told first");
await back.return?.();

await assert.rejects(
  async () => { for await (const _ of client.iterate({ query: "subscription { events { nothing } }" })); },
  (errors: { extensions: { code: string } }[]) => errors[0]?.extensions.code === "invalid_query",
);
await client.dispose();

const stranger = connect("Bearer nonsense");
await assert.rejects(
  async () => { for await (const _ of stranger.iterate({ query: "{ me { role } }" })); },
  (event: { code: number }) => event.code === 4403,
);
await stranger.dispose();
