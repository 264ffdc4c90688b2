import { base } from "./base.js";

export const { ready, email, phone, name, countryCode, passwordPolicy, registration } = base.api;
