"""What stands on the screen: widgets that show the state, and decide nothing. They take no keys: `app` does."""
