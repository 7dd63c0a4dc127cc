/** Elements for the pages. Import this file once in a page, then use `<acme-price>` anywhere in it. */

import { format } from "@acme/money";

/** `<acme-price cents="1290" currency="EUR">`: an amount, written in the page's language. */
class AcmePrice extends HTMLElement {
  static observedAttributes = ["cents", "currency"];

  attributeChangedCallback() {
    const currency = this.getAttribute("currency");
    if (currency && this.hasAttribute("cents")) {
      this.textContent = format(Number(this.getAttribute("cents")), currency, document.documentElement.lang);
    }
  }
}

customElements.define("acme-price", AcmePrice);
