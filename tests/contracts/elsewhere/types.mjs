// Makes a TypeScript module of every schema in a folder: types.mjs SCHEMAS TARGET
import { compileFromFile } from "json-schema-to-typescript";
import { readdirSync, writeFileSync } from "node:fs";

const [, , schemas, target] = process.argv;
for (const file of readdirSync(schemas)) {
  const types = await compileFromFile(`${schemas}/${file}`, { cwd: schemas });
  writeFileSync(`${target}/${file.split(".")[0]}.ts`, types);
}
