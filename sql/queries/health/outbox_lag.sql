SELECT unpublished, lag_s FROM outbox_lag()
