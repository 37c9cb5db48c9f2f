"""Cameras and streams."""
