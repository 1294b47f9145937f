// graphql-sse: the same subscription as server-sent events, for networks that let no socket through.
import assert from "node:assert/strict";
import { createClient } from "graphql-sse";
import { rename } from "../deals";
import { authorization, url } from "../live";

type Change = { events: { type: string; changed: string[] } };

const client = createClient({ url: `${url}/graphql/stream`, headers: { authorization }, retryAttempts: 0 });
const following = client.iterate<Change>({
  query: `subscription { events(types: ["opportunity.updated"]) { type changed } }`,
});
const first = following.next();
await new Promise((resolve) => setTimeout(resolve, 1500));
await rename("clients:deal-3", "Seen as an event");
assert.deepEqual((await first).value.data?.events, { type: "opportunity.updated", changed: ["name"] });
await following.return?.();

for await (const answer of client.iterate<{ me: { role: string } }>({ query: "{ me { role } }" }))
  assert.equal(answer.data?.me.role, "admin");
client.dispose();
