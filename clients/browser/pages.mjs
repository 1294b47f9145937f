// Swagger UI and GraphiQL in a headless Chromium: rendered from our own files alone, and a call made with each.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

const { ATTAIN_URL: url, ATTAIN_KEY: key } = process.env;
const browser = await chromium.launch({
  executablePath: readFileSync(".chromium", "utf8").trim(),
  args: ["--no-sandbox", "--disable-background-networking"],
});

async function on(path, work) {
  const page = await browser.newPage({ viewport: { width: 1400, height: 1000 } });
  const asked = [];
  const faults = [];
  page.on("request", (request) => asked.push(request.url()));
  page.on("pageerror", (error) => faults.push(String(error)));
  page.setDefaultTimeout(60_000);
  await page.goto(url + path);
  await work(page);
  const foreign = asked.filter((address) => !address.startsWith(`${url}/`) && !/^(data|blob):/.test(address));
  assert.deepEqual(foreign, [], "no foreign host is asked");
  assert.deepEqual(faults, []);
  await page.close();
}

await on("/docs", async (page) => {
  await page.waitForSelector(".opblock-tag-section");
  assert((await page.locator(".opblock-tag-section").count()) > 10);
  await page.click("button.authorize");
  await page.locator(".auth-container input").first().fill(key);
  await page.locator(".auth-container button.authorize").first().click();
  await page.locator(".btn-done").first().click();
  await page.goto(`${url}/docs#/Access/getMe`);
  await page.locator('[data-tag="Access"]').first().click();
  const operation = page.locator("#operations-Access-getMe");
  await operation.locator(".opblock-summary-control").click();
  await operation.locator("button.try-out__btn").click();
  await operation.locator("button.execute").click();
  await operation.locator(".live-responses-table .response-col_status", { hasText: "200" }).first().waitFor();
});

await on("/graphql", async (page) => {
  await page.waitForSelector(".graphiql-container");
  await page.waitForFunction(() => document.querySelectorAll(".CodeMirror").length >= 2);
  await page.evaluate((key) => {
    const editors = [...document.querySelectorAll(".CodeMirror")].map((x) => x.CodeMirror);
    const headers = editors.find((x) => x.getValue().includes("Authorization"));
    headers.setValue(JSON.stringify({ Authorization: `Bearer ${key}` }));
  }, key);
  await page.click(".graphiql-execute-button");
  await page.locator(".result-window", { hasText: "admin" }).waitFor();
});

await browser.close();
