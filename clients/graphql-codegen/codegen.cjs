module.exports = {
  schema: "../openapi/schema.graphql",
  documents: ["graphql-codegen/main.ts"],
  generates: {
    "generated/graphql-codegen/": {
      preset: "client",
      presetConfig: { fragmentMasking: false },
      config: {
        strictScalars: true,
        scalars: { Decimal: "number", Date: "string", DateTime: "string", JSON: "unknown" },
        useTypeImports: true,
        enumsAsTypes: true,
      },
    },
  },
};
