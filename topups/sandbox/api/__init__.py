"""The part of Stripe's HTTP API that we rely on (https://docs.stripe.com/api)."""
