import { meterClass } from "../api/meter.js";
import { loadStrength, strength } from "./strength.js";

export const PasswordMeter = meterClass({ loadStrength, strength });

if (typeof customElements !== "undefined" && !customElements.get("portcullis-password-meter")) {
  customElements.define("portcullis-password-meter", PasswordMeter);
}
