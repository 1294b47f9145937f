/** Where the live service is, as `make clients` says it. */
function given(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: \`make clients\` starts a service and sets it.`);
  return value;
}

export const url = given("ATTAIN_URL");
export const authorization = `Bearer ${given("ATTAIN_KEY")}`;
