// Types by openapi-typescript, requests by openapi-fetch: a list, a create that is safe to repeat, and a refusal.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import createClient from "openapi-fetch";
import type { components, paths } from "../generated/openapi-typescript/openapi";
import { authorization, url } from "../live";

// A list can be asked for as text too (CSV, NDJSON); the media types named here are those that this client asks for.
const client = createClient<paths, "application/json" | "application/problem+json">({ baseUrl: url, headers: { authorization } });

const { data: page } = await client.GET("/v1/opportunities", {
  params: {
    query: { "stage.category": "open", "amount_home[gte]": "1000", sort: ["-amount_home"], expand: ["account", "owner"], limit: 5 },
  },
});
assert(page);
assert.equal(page.data.length, 5);
const amounts: (number | null)[] = page.data.map((deal) => deal.amount_home);
assert.deepEqual(amounts, [...amounts].sort((a, b) => Number(b) - Number(a)));
const account = page.data[0]?.account;
assert(account && "industry" in account, "an account that one may see is written out whole");

const body: components["schemas"]["OpportunityCreate"] = {
  name: "Two GTX Pro",
  amount: 9642.5,
  currency: "USD",
  owner_id: "clients:rep-1",
  account_id: "clients:account-1",
};
const header = { "Idempotency-Key": randomUUID() };
const first = await client.POST("/v1/opportunities", { params: { header }, body });
assert.equal(first.response.status, 201);
assert(first.data);
const amount: number | null = first.data.amount;
assert.equal(amount, 9642.5);
const again = await client.POST("/v1/opportunities", { params: { header }, body });
assert.equal(again.data?.id, first.data.id);
assert.equal(again.response.headers.get("idempotency-replayed"), "true");

const missing = await client.GET("/v1/opportunities/{id}", { params: { path: { id: "clients:nobody" } } });
assert(missing.error);
const problem: components["schemas"]["Problem"] = missing.error;
assert.equal(missing.response.status, 404);
assert.equal(problem.code, "not_found");

// @ts-expect-error a field that is not there does not compile
assert.equal(page.data[0]?.ammount, undefined);
