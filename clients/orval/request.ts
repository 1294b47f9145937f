import { authorization, url } from "../live";

/** Where the generated functions send their requests through: the address and the key. */
export async function request<T>(path: string, options: RequestInit): Promise<T> {
  const response = await fetch(url + path, { ...options, headers: { ...options.headers, authorization } });
  return { data: await response.json(), status: response.status, headers: response.headers } as T;
}
