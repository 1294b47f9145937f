// @urql/core: a query, a mutation with its refetch, and a refusal with its code.
import assert from "node:assert/strict";
import { Client, cacheExchange, fetchExchange, gql } from "@urql/core";
import { authorization, url } from "../live";

const client = new Client({
  url: `${url}/graphql`,
  preferGetMethod: false,
  exchanges: [cacheExchange, fetchExchange],
  fetchOptions: { headers: { authorization } },
});

type Deal = { id: string; name: string; amountHome: number | null; account: { name: string } | null };
type Page = { opportunities: { totalCount: number; nodes: Deal[]; pageInfo: { hasNextPage: boolean; endCursor: string } } };

const OPEN = gql<Page, { first: number; after?: string }>`
  query Open($first: Int!, $after: String) {
    opportunities(first: $first, after: $after, filter: { stage: { category: { eq: OPEN } } }, sort: [AMOUNT_HOME_DESC]) {
      totalCount
      nodes { id name amountHome account { name } }
      pageInfo { hasNextPage endCursor }
    }
  }
`;
const RENAME = gql<{ updateOpportunity: { opportunity: Deal; outcome: string; changed: string[] } }>`
  mutation Rename($id: ID!, $input: OpportunityPatch!) {
    updateOpportunity(id: $id, input: $input) { opportunity { id name } outcome changed }
  }
`;

const first = await client.query(OPEN, { first: 3 });
assert.ifError(first.error);
const page = first.data?.opportunities;
assert(page?.pageInfo.hasNextPage);
const second = await client.query(OPEN, { first: 3, after: page.pageInfo.endCursor });
const seen = [...page.nodes, ...(second.data?.opportunities.nodes ?? [])].map((deal) => deal.id);
assert.equal(new Set(seen).size, 6);

const renamed = await client.mutation(RENAME, { id: seen[0], input: { name: "Renamed by urql" } });
assert.ifError(renamed.error);
assert.equal(renamed.data?.updateOpportunity.opportunity.name, "Renamed by urql");
const fresh = await client.query(OPEN, { first: 3 }, { requestPolicy: "network-only" });
assert(fresh.data?.opportunities.nodes.some((deal) => deal.name === "Renamed by urql"));

const refused = await client.mutation(RENAME, { id: "clients:nobody", input: { name: "x" } });
assert.equal(refused.error?.graphQLErrors[0]?.extensions.code, "not_found");
