// Checks OpenAPI documents, one per file, with an independent validator.
import { Validator } from "@seriousme/openapi-schema-validator";

for (const file of process.argv.slice(2)) {
  const validator = new Validator();
  const result = await validator.validate(file);
  if (!result.valid || validator.version !== "3.1") {
    console.log(file, validator.version, JSON.stringify(result.errors, null, 2));
    process.exitCode = 1;
  }
}
