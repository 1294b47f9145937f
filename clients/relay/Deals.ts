import { graphql } from "relay-runtime";

// What a component of a screen would say it needs; relay-compiler makes typed artifacts of it.
export const fragment = graphql`
  fragment Deals_deal on Opportunity {
    name
    amountHome
    stage { name category }
    account { name }
  }
`;

export const list = graphql`
  fragment Deals_query on Query
  @refetchable(queryName: "DealsPageQuery")
  @argumentDefinitions(first: { type: "Int", defaultValue: 4 }, after: { type: "String" }) {
    opportunities(first: $first, after: $after, filter: { stage: { category: { eq: OPEN } } }, sort: [AMOUNT_HOME_DESC])
    @connection(key: "Deals_opportunities") {
      totalCount
      edges { node { id ...Deals_deal } }
    }
  }
`;

export const query = graphql`
  query DealsQuery { ...Deals_query }
`;

export const rename = graphql`
  mutation DealsRenameMutation($id: ID!, $input: OpportunityPatch!) {
    updateOpportunity(id: $id, input: $input) { outcome opportunity { id name } }
  }
`;

export const byNode = graphql`
  query DealsNodeQuery($id: ID!) { node(id: $id) { __typename id ...Deals_deal @alias } }
`;
