"""Named tables of features: ingested into immutable snapshots, checked, and joined to labels without looking ahead."""
