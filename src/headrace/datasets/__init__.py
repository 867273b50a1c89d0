"""Datasets: named snapshots of people, read where they lie as Arrow."""
