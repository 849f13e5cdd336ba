"""The playground: four sample extensions that spend credits, for trying the whole story."""
