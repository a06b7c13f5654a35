"""Arrays and the texts made of them: tools that know nothing of batteries."""
