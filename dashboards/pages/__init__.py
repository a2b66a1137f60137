"""One module a page: ``layout`` builds it from the results and the URL's query, ``register`` adds its callbacks."""
