// PostGraphile as its documentation starts it, in production: node server.mjs PORT, the database by PGHOST and so on.
import { createServer } from "node:http";
import pg from "pg";
import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { grafserv } from "postgraphile/grafserv/node";

const service = postgraphile({
  extends: [PostGraphileAmberPreset],
  pgServices: [makePgService({ pool: new pg.Pool({ max: 10 }), schemas: ["public"] })],
  grafserv: { watch: false, graphiql: false },
  grafast: { explain: false },
}).createServ(grafserv);

const server = createServer();
await service.addTo(server);
await service.ready?.();
server.listen(Number(process.argv[2]), "127.0.0.1");
