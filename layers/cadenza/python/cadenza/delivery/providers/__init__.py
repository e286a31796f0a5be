"""Mail services, each behind `cadenza.delivery.model.Provider`."""
