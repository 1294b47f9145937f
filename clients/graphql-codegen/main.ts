// Typed documents by graphql-codegen's client preset: variables and answers are known to the compiler.
import assert from "node:assert/strict";
import { print } from "graphql";
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { graphql } from "../generated/graphql-codegen";
import { authorization, url } from "../live";

async function ask<Answer, Variables>(document: TypedDocumentNode<Answer, Variables>, variables: Variables): Promise<Answer> {
  const response = await fetch(`${url}/graphql`, {
    method: "POST",
    headers: { authorization, "Content-Type": "application/json" },
    body: JSON.stringify({ query: print(document), variables }),
  });
  const { data, errors } = (await response.json()) as { data: Answer; errors?: { message: string }[] };
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

const PIPELINE = graphql(`
  query Pipeline($filter: OpportunityFilter, $first: Int!) {
    opportunities(filter: $filter, first: $first) {
      nodes { id name amount amountHome closedAt stage { category } lineItems { amount product { name } } }
    }
    metrics(names: ["bookings"], period: "this_year", by: ["rep"]) {
      rows { value numerator n dimensions }
    }
    me { name }
  }
`);
const CREATE = graphql(`
  mutation Create($input: OpportunityCreate!) {
    createOpportunity(input: $input) { outcome opportunity { id version amount stage { category } } }
  }
`);
const WIN = graphql(`
  mutation Win($id: ID!, $version: Int) {
    closeWonOpportunity(id: $id, expectedVersion: $version) { opportunity { version stage { category } } changed }
  }
`);

const answer = await ask(PIPELINE, { first: 5, filter: { stage: { category: { eq: "OPEN" } } } });
const deals = answer.opportunities?.nodes ?? [];
assert.equal(deals.length, 5);
const amount: number | null | undefined = deals[0]?.amountHome;
assert.notEqual(amount, undefined);
assert(deals.every((deal) => deal.stage?.category === "OPEN"));

const made = await ask(CREATE, {
  input: { name: "Typed", amount: 100, currency: "USD", ownerId: "clients:rep-1", accountId: "clients:account-1" },
});
const deal = made.createOpportunity?.opportunity;
assert(deal);
const won = await ask(WIN, { id: deal.id, version: deal.version });
assert.equal(won.closeWonOpportunity?.opportunity?.stage?.category, "WON");
