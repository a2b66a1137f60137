"""Released results -> pages: the Dash app (``dashboards.app.create_app``) and the command ``pathways serve``."""
