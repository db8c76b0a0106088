import type { FastifyInstance, HTTPMethods } from "fastify";
import FindMyWay, { type HTTPMethod } from "find-my-way";
import { HttpProblem } from "./problems.ts";

/** @returns for a path without a route: 405 where another method has one, else 404 */
export function missingRoutes(app: FastifyInstance, longestParameter: number): (path: string) => HttpProblem {
  const router = FindMyWay({ maxParamLength: longestParameter });
  const methods = new Set<HTTPMethods>();
  app.addHook("onRoute", ({ method, url }) => {
    for (const each of [method].flat()) {
      methods.add(each);
      if (!router.hasRoute(each as HTTPMethod, url)) router.on(each as HTTPMethod, url, () => undefined);
    }
  });
  return (path) => {
    const allowed = [...methods].filter((method) => router.find(method as HTTPMethod, path) !== null);
    if (allowed.length === 0) return new HttpProblem(404, "not_found", "There is nothing at this address.");
    return new HttpProblem(405, "method", `This address takes ${allowed.join(", ")}.`, {
      headers: { allow: allowed.join(", ") },
    });
  };
}
