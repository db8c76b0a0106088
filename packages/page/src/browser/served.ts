import { startPage } from "./page.ts";
import { ServerBackEnd } from "./server-back-end.ts";

const backEnd = new ServerBackEnd();
void startPage({ backEnd, setToken: (token) => (backEnd.token = token) });
