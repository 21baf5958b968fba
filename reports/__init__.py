"""Tables, figures and the report page: read the storage, compute a DataFrame, then draw it."""
