"""What every room stands on; knows no domain."""
