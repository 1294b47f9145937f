// Fragments, a connection that grows by its refetch query, `node` and a mutation: compiled by relay-compiler against the
// SDL, run by relay-runtime against the live service.
import assert from "node:assert/strict";
import relay from "relay-runtime";
import type { FetchFunction } from "relay-runtime";
import dealFragment from "../generated/relay/Deals_deal.graphql";
import listFragment from "../generated/relay/Deals_query.graphql";
import nodeQuery, { type DealsNodeQuery } from "../generated/relay/DealsNodeQuery.graphql";
import pageQuery, { type DealsPageQuery } from "../generated/relay/DealsPageQuery.graphql";
import query, { type DealsQuery } from "../generated/relay/DealsQuery.graphql";
import renameMutation, { type DealsRenameMutation } from "../generated/relay/DealsRenameMutation.graphql";
import type { Deals_deal$data } from "../generated/relay/Deals_deal.graphql";
import type { Deals_query$data } from "../generated/relay/Deals_query.graphql";
import { authorization, url } from "../live";

const ask: FetchFunction = async (request, variables) => {
  const response = await fetch(`${url}/graphql`, {
    method: "POST",
    headers: { authorization, "Content-Type": "application/json" },
    body: JSON.stringify({ query: request.text, variables }),
  });
  return response.json();
};
const environment = new relay.Environment({
  network: relay.Network.create(ask),
  store: new relay.Store(new relay.RecordSource()),
});

const first = await relay.fetchQuery<DealsQuery>(environment, query, {}).toPromise();
assert(first);
const operation = relay.createOperationDescriptor(query, {});
environment.retain(operation);

function list(): Deals_query$data {
  const read = environment.lookup(operation.fragment);
  assert(read.data);
  const selector = relay.getSelector(listFragment, read.data as never);
  assert(selector && selector.kind === "SingularReaderSelector");
  return environment.lookup(selector).data as unknown as Deals_query$data;
}

const page = list().opportunities;
assert.equal(page?.edges.length, 4);
const pageInfo = (page as unknown as { pageInfo: { endCursor: string; hasNextPage: boolean } }).pageInfo;
assert(pageInfo.hasNextPage);
await relay.fetchQuery<DealsPageQuery>(environment, pageQuery, { first: 4, after: pageInfo.endCursor }).toPromise();
const grown = list().opportunities;
assert.equal(grown?.edges.length, 8);
assert.equal(new Set(grown.edges.map((edge) => edge.node.id)).size, 8);

const id = grown.edges[0]?.node.id;
assert(id);
await new Promise<void>((resolve, reject) => {
  relay.commitMutation<DealsRenameMutation>(environment, {
    mutation: renameMutation,
    variables: { id, input: { name: "Renamed by Relay" } },
    onCompleted: (answer, errors) => (errors ? reject(errors) : (assert.equal(answer.updateOpportunity?.outcome, "UPDATED"), resolve())),
    onError: reject,
  });
});
const deal = relay.getSelector(dealFragment, grown.edges[0]?.node as never);
assert(deal && deal.kind === "SingularReaderSelector");
const data = environment.lookup(deal).data as unknown as Deals_deal$data;
const amount: number | null | undefined = data.amountHome;
assert(amount && amount > 0);
assert.equal(data.name, "Renamed by Relay", "the mutation's answer updates the list by its id");

const again = await relay.fetchQuery<DealsNodeQuery>(environment, nodeQuery, { id }).toPromise();
assert.equal(again?.node?.__typename, "Opportunity");
