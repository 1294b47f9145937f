// Its fetch client hands every operation that can also stream NDJSON over as a raw stream: keep the JSON answers.
const onlyJson = (document) => {
  for (const path of Object.values(document.paths))
    for (const operation of Object.values(path))
      for (const answer of Object.values(operation.responses))
        if (answer.content?.["application/json"]) {
          delete answer.content["application/x-ndjson"];
          delete answer.content["text/csv"];
        }
  return document;
};

module.exports = {
  attain: {
    input: { target: "../../openapi/openapi.json", override: { transformer: onlyJson } },
    output: {
      target: "../generated/orval/attain.ts",
      client: "fetch",
      mode: "single",
      override: { mutator: { path: "./request.ts", name: "request" } },
    },
  },
};
