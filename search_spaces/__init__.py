"""Search ranges, whole sweeps and published values, as YAML shipped with the package."""
