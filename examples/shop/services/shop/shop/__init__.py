"""The storefront and the checkout of Acme Home."""
