"""What people read: the KPI sheet and the self-contained report."""
