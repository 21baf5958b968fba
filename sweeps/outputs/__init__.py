"""What a finished or running sweep shows: best parameters, report, maps, dashboard. Alone imports `reports`."""
