"""Ray Tune's side: one experiment over all studies. Imports nothing here, as the environment is set before Ray."""
