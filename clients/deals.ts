import assert from "node:assert/strict";
import { authorization, url } from "./live";

/** Something for a feed to tell of: a new name for a deal. */
export async function rename(deal: string, name: string): Promise<void> {
  const response = await fetch(`${url}/v1/opportunities/${deal}`, {
    method: "PATCH",
    headers: { authorization, "Content-Type": "application/json" },
    body: JSON.stringify({ name }),
  });
  assert.equal(response.status, 200, await response.text());
}
