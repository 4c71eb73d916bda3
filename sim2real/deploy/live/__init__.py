"""What a person sees of a run, and the button that stops it; in processes of their own."""
